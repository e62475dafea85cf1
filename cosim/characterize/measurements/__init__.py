"""The measurements of the catalogue, one file each (`cosim.characterize.catalogue`)."""
