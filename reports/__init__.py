"""What people read: figures, HTML and PDF, from the files of a run directory only. No physics is computed here."""
