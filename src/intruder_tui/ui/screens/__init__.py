"""The screens: main, help, log."""
