"""Pure tensor mathematics: metrics, k-means, logistic regression, nearest neighbours, folds."""
