"""What MicroPython runs after boot.py. It takes only a main.py in source: all the rest can be compiled."""

from app import main

if __name__ == "__main__":
    main()
