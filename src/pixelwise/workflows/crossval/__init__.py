"""Cross-validation: a model for each fold, every image scored by the one that did not see it."""

from pixelwise.workflows.crossval.run import cross_validate, num_folds_of

__all__ = ["cross_validate", "num_folds_of"]
