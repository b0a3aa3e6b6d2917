"""Networks that packages lack, with the names and shapes of published weights; and support to run networks."""
