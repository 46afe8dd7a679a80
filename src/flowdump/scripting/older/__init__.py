"""The two older generations of the scripting API: their events, their arguments and their attributes."""
