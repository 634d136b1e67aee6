"""What people look at: one Python class and one ES module for each widget.

Widgets receive records and session objects and never run a device. What they share is in
``_common.js`` (the browser), ``_static.py`` (the picture that stays where no kernel runs),
``_look.json`` (colours and marks, one table for both) and ``_loader.py`` (the base class).
"""
