"""Run a launch thread by thread, exactly and slowly, with somebody watching every access."""
