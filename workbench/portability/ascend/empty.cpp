// A library with nothing in it: the CANN provider asks for three by name and uses what the first has.
