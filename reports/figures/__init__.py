"""The figures of the report; each function turns tables into one inline SVG."""
