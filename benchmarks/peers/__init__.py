"""What a user would pick otherwise, kept to be measured against."""
