"""Jobs, the worker process that owns a device, the queue before it, and the session that drives them."""
