"""What operators and monitoring read across piles, orders and settlements."""
