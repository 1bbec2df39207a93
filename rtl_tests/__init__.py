"""Open RTL of the engines and the benches that hold it and the model to each other."""
