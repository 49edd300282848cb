"""Loops of networks: convolution layers, normalisation, optimizers, augmentation."""
