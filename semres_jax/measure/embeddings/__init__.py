"""Where embeddings stand: accuracies of their own similarity, of stimuli or of labelled exemplars."""
