"""What an option is: typed fields, the entries around them, the messages of mistakes. No torch."""
