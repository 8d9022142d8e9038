"""Images: sources on disk, the choice of images that a spec makes, and sets that live on the device."""
