"""Writers of snapshots and data. Numbers come from results; pictures from views."""
