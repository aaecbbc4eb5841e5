"""Estimators of single images and samples, a file each; `mmh.scores.base` says how one is written."""
