"""Several machines that train one network: how they meet, and miss each other."""
