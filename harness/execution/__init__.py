"""From a suite to stored runs: plan, execute, restore."""
