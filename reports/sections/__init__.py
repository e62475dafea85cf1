"""The sections of the report; each function turns a run into blocks of text, tables and figures."""
