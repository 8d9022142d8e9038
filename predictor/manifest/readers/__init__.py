"""One reader a format: a module with `recognises(path, head)` and `read(path, request)`."""
