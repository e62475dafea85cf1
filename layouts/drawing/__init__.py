"""What is drawn, from a box on a layer up to the whole network. Every length in this package is in whole nm."""
