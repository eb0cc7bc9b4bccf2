"""report.html: what a reader of an evaluation sees."""
