"""`cosim study`: the networks of a study, trained one or several at a time, their table and their pictures."""
