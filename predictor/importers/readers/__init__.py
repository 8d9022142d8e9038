"""Files of others -> tables: one format a file."""
