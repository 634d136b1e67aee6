"""The commands of the command line, one file each: the file's name is the command's name.

A file holds one function called ``command``, whose parameters are typer's and whose docstring is
the help. The top of a file imports nothing heavy, because ``workbench --help`` reads all of them.
"""
