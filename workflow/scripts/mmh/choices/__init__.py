"""What is changed in a prompt, a file each: which words are replaced, or what is put in."""
