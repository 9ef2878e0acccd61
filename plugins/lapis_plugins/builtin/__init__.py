"""The plug-ins that come with Lapis, registered by the same door as anyone's."""
