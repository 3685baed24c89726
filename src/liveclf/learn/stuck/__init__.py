"""What the stuck guard measures: data, network, losses; and the words for what it finds."""
