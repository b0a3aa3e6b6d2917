"""Face networks that no package brings, written anew so that published weights load by name and shape."""
