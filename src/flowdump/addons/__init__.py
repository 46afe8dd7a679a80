"""What flowdump does with flows besides running scripts: one feature per file."""
