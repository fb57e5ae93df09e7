"""Pure tensor mathematics: metrics, clustering, classifiers, neighbours, pose."""
