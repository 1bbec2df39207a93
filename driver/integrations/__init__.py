"""The chip inside of other frameworks: nodes of their making around sessions of ours."""
