"""The work of the stages, a module each: what decides a stage is the source that its module reaches by imports."""
