"""What is read from a recording: values, hazards, time, and which buffer held what."""
