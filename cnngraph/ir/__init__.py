"""The compiler's middle: a Spec is elaborated into a Graph."""
