"""What `import cosim` offers, and the page that documents it. The package `cosim` hands on the names."""
