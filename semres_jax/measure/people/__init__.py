"""What people and brains say: similarities, confusions, triplets, and where that puts them on the front."""
