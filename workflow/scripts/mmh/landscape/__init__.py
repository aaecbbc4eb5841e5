"""How sharp a density is, from dense Hessians of its score: identities, and the plane of a toy."""
