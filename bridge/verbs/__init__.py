"""The verbs of the command line, a module each with `main(args) -> exit code`."""
