"""What a run is made of besides flows and options: events, addons, commands, the log, ``ctx.master``."""
