"""Gram matrices in blocks: the plan, where they go, who computes, what is done."""
