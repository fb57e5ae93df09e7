"""Pure tensor mathematics: metrics and statistics, clustering, linear classifiers, neighbours, pose."""
