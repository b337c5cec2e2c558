"""What Headstart would have done on a recorded load, against what else could have decided.

No torch here: what a user needs to judge a policy must install in seconds.
"""
