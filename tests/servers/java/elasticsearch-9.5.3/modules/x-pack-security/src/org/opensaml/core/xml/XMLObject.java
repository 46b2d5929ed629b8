package org.opensaml.core.xml;

/** Stands for a class of a library that is not published where the others are; only its name is needed. */
public interface XMLObject {}
