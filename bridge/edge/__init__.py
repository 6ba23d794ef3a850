"""One outside thing a file; its errors are translated there."""
