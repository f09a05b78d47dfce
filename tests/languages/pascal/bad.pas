begin x end.
