"""Rewriting of prompts: words are drawn, a rewriter is asked, its answers are checked and kept."""
