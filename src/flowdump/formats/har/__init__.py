"""HTTP Archives (HAR 1.2): entries in as flows, flows out as entries."""
